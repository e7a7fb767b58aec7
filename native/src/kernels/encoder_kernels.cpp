// The choice among the encoder's kernels. Members that share a layout are chosen together.
#include "kernels/encoder_kernels.hpp"

#include <string>

#include "base/error.hpp"
#include "cpu/features.hpp"

namespace gteway::kernels {
namespace {

// Members of EncoderTable that belong together, named by the last.
struct Group {
  std::string_view name;
  bool (*in)(const EncoderTable&);
  void (*copy)(const EncoderTable& from, EncoderTable& to);
};

template <auto... Members>
constexpr Group group(std::string_view name) {
  return {name, [](const EncoderTable& table) { return ((table.*Members != nullptr) && ...); },
          [](const EncoderTable& from, EncoderTable& to) { ((to.*Members = from.*Members), ...); }};
}

using T = EncoderTable;
constexpr Group kGroups[] = {
    group<&T::packed_bytes_f32, &T::pack_linear_f32, &T::linear_f32>("linear_f32"),
    group<&T::packed_bytes_bf16, &T::pack_linear_bf16, &T::linear_bf16>("linear_bf16"),
    group<&T::packed_bytes_int8, &T::pack_linear_int8, &T::linear_int8>("linear_int8"),
    group<&T::attention_scratch_f32, &T::attention_f32>("attention_f32"),
    group<&T::attention_scratch_bf16, &T::attention_bf16>("attention_bf16"),
    group<&T::normalize_rows_f32>("normalize_rows_f32"),
    group<&T::normalize_rows_bf16>("normalize_rows_bf16"),
    group<&T::normalize_rows_u8>("normalize_rows_u8"),
    group<&T::quantize_u8>("quantize_u8"),
    group<&T::embed_f32>("embed_f32"),
    group<&T::embed_bf16>("embed_bf16"),
    group<&T::turn_heads_f32>("turn_heads_f32"),
    group<&T::turn_heads_bf16>("turn_heads_bf16"),
};

bool usable(const Implementation& implementation) {
  if (!implementation.supported || implementation.encoder == nullptr) return false;
  return implementation.isa != "amx" || cpu::request_amx();
}

EncoderKernels complete(std::string_view isa) {
  const std::span<const Implementation> all = implementations();
  size_t first = 0;
  while (all[first].isa != isa) ++first;
  while (!usable(all[first])) ++first;  // ends: scalar is last and complete

  EncoderKernels result{.isa = all[first].isa, .table = {}, .sources = {}};
  for (const Group& group : kGroups) {
    size_t i = first;
    while (!usable(all[i]) || !group.in(*all[i].encoder)) ++i;
    group.copy(*all[i].encoder, result.table);
    result.sources.push_back({group.name, all[i].isa});
  }
  return result;
}

}  // namespace

std::string_view EncoderKernels::source(std::string_view kernel) const {
  for (const Source& entry : sources)
    if (entry.kernel == kernel) return entry.isa;
  throw Error(ErrorCode::kInternal, "the encoder has no kernel named " + std::string(kernel));
}

const EncoderKernels& encoder_kernels() {
  // Never destroyed: a model may be loading while the process exits.
  static const EncoderKernels& chosen = *new EncoderKernels(complete(active_isa()));
  return chosen;
}

EncoderKernels encoder_kernels_for(std::string_view isa) {
  (void)table_for(isa);  // throws where the set is unknown or not supported
  EncoderKernels result = complete(isa);
  if (result.isa != isa && isa == "amx")
    throw Error(ErrorCode::kInvalidArgument, "the system does not let this process use AMX");
  return result;
}

}  // namespace gteway::kernels
