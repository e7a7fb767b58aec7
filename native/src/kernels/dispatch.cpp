// The best-first list of implementations, and the choice among them.
#include <array>
#include <cstdlib>
#include <iterator>
#include <string>

#include "base/error.hpp"
#include "cpu/features.hpp"
#include "kernels/kernels.hpp"

namespace gteway::kernels {

namespace scalar {
extern const Table table;
extern const EncoderTable encoder_table;
}  // namespace scalar
#if defined(__x86_64__) || defined(_M_X64)
namespace avx2 {
extern const Table table;
extern const EncoderTable encoder_table;
}  // namespace avx2
#if defined(GTEWAY_HAS_AVXVNNI)
namespace avxvnni {
extern const EncoderTable encoder_table;
}
#endif
namespace avx512 {
extern const Table table;
extern const EncoderTable encoder_table;
}  // namespace avx512
namespace avx512vnni {
extern const EncoderTable encoder_table;
}
namespace avx512bf16 {
extern const EncoderTable encoder_table;
}
#if defined(GTEWAY_HAS_AMX)
namespace amx {
extern const EncoderTable encoder_table;
}
#endif
#elif defined(__aarch64__) || defined(_M_ARM64)
namespace neon {
extern const Table table;
extern const EncoderTable encoder_table;
}  // namespace neon
namespace neondot {
extern const EncoderTable encoder_table;
}
namespace neonbf16 {
extern const EncoderTable encoder_table;
}
#endif

namespace {

// A member of Table, by name: what filling holes and listing need.
struct Operation {
  std::string_view name;
  bool (*in)(const Table&);
  void (*copy)(const Table& from, Table& to);
};

template <auto Member>
constexpr Operation operation(std::string_view name) {
  return {name, [](const Table& table) { return table.*Member != nullptr; },
          [](const Table& from, Table& to) { to.*Member = from.*Member; }};
}

constexpr Operation kOperations[] = {
    operation<&Table::pool_mean_f32>("pool_mean_f32"),
    operation<&Table::pool_rows_f32>("pool_rows_f32"),
    operation<&Table::l2_normalize_f32>("l2_normalize_f32"),
    operation<&Table::dot_f32>("dot_f32"),
    operation<&Table::cosine_f32>("cosine_f32"),
    operation<&Table::f32_to_f16>("f32_to_f16"),
    operation<&Table::f16_to_f32>("f16_to_f32"),
    operation<&Table::f32_to_bf16>("f32_to_bf16"),
    operation<&Table::bf16_to_f32>("bf16_to_f32"),
    operation<&Table::f32_to_i8>("f32_to_i8"),
    operation<&Table::f32_to_bits>("f32_to_bits"),
    operation<&Table::dot_i8>("dot_i8"),
    operation<&Table::hamming_bits>("hamming_bits"),
    operation<&Table::classify_text>("classify_text"),
};
static_assert(std::size(kOperations) * sizeof(void (*)()) == sizeof(Table), "an operation is not listed");

// The position of `isa` in implementations(); throws where this machine cannot run it.
size_t index_of(std::string_view isa, const char* asked_by) {
  const std::span<const Implementation> all = implementations();
  std::string here;
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i].isa == isa && all[i].supported) return i;
    if (all[i].supported) here.append(here.empty() ? "" : ", ").append(all[i].isa);
  }
  throw Error(ErrorCode::kInvalidArgument,
              std::string(asked_by) + ": instruction set '" + std::string(isa) +
                  "' is unknown or not supported by this machine, which has: " + here);
}

// Calls visit(operation, implementation) with the implementation that supplies each operation for
// all()[first].
template <class Visit>
void for_each_source(size_t first, Visit visit) {
  const std::span<const Implementation> all = implementations();
  for (const Operation& op : kOperations) {
    size_t i = first;
    while (!all[i].supported || all[i].table == nullptr || !op.in(*all[i].table))
      ++i;  // ends: scalar is last, supported and complete
    visit(op, all[i]);
  }
}

Table complete(size_t first) {
  Table result{};
  for_each_source(first,
                  [&](const Operation& op, const Implementation& from) { op.copy(*from.table, result); });
  return result;
}

struct Choice {
  std::string_view isa;
  Table table;
};

const Choice& choice() {
  static const Choice chosen = [] {
    const std::span<const Implementation> all = implementations();
    const char* forced = std::getenv("GTEWAY_FORCE_ISA");
    size_t best = 0;
    if (forced != nullptr && *forced != '\0') {
      best = index_of(forced, "GTEWAY_FORCE_ISA");
    } else {
      while (!all[best].supported) ++best;
    }
    return Choice{all[best].isa, complete(best)};
  }();
  return chosen;
}

}  // namespace

std::span<const Implementation> implementations() {
  [[maybe_unused]] static const cpu::Features& has = cpu::features();
#if defined(__x86_64__) || defined(_M_X64)
  const bool avx2 = has.avx2 && has.fma && has.f16c;
  const bool avx512 = avx2 && has.avx512f && has.avx512bw && has.avx512dq && has.avx512vl;
  const bool vnni = avx512 && has.avx512_vnni, bf16 = vnni && has.avx512_bf16;
  [[maybe_unused]] const bool amx = bf16 && has.amx_tile && has.amx_bf16 && has.amx_int8;
#endif
  static const std::array all {
#if defined(__x86_64__) || defined(_M_X64)
#if defined(GTEWAY_HAS_AMX)
    Implementation{"amx", amx, nullptr, &amx::encoder_table},
#endif
        Implementation{"avx512bf16", bf16, nullptr, &avx512bf16::encoder_table},
        Implementation{"avx512vnni", vnni, nullptr, &avx512vnni::encoder_table},
        Implementation{"avx512", avx512, &avx512::table, &avx512::encoder_table},
#if defined(GTEWAY_HAS_AVXVNNI)
        Implementation{"avxvnni", avx2 && has.avx_vnni, nullptr, &avxvnni::encoder_table},
#endif
        Implementation{"avx2", avx2, &avx2::table, &avx2::encoder_table},
#elif defined(__aarch64__) || defined(_M_ARM64)
    Implementation{"neonbf16", has.neon && has.dotprod && has.bf16, nullptr, &neonbf16::encoder_table},
        Implementation{"neondot", has.neon && has.dotprod, nullptr, &neondot::encoder_table},
        Implementation{"neon", has.neon, &neon::table, &neon::encoder_table},
#endif
        Implementation{"scalar", true, &scalar::table, &scalar::encoder_table},
  };
  return all;
}

const Table& active() { return choice().table; }

std::string_view active_isa() { return choice().isa; }

Table table_for(std::string_view isa) { return complete(index_of(isa, "table_for")); }

std::vector<Source> sources_for(std::string_view isa) {
  std::vector<Source> result;
  for_each_source(index_of(isa, "sources_for"), [&](const Operation& op, const Implementation& from) {
    result.push_back({op.name, from.isa});
  });
  return result;
}

}  // namespace gteway::kernels
