#include <thread>

#include "base/error.hpp"
#include "kernels/kernel_case.hpp"

using namespace gteway;

TEST("kernels: the list of implementations ends with scalar, which is supported and complete") {
  const auto all = kernels::implementations();
  CHECK_EQ(all.back().isa, "scalar");
  CHECK(all.back().supported);
  for (const auto& [kernel, isa] : kernels::sources_for("scalar")) CHECK_EQ(isa, "scalar");
}

TEST("kernels: every supported set completes its table, holes filled from those after it") {
  for (const kernels::Implementation& implementation : kernels::implementations()) {
    if (!implementation.supported) continue;
    const kernels::Table table = kernels::table_for(implementation.isa);
    void (*functions[sizeof(kernels::Table) / sizeof(void (*)())])();
    std::memcpy(functions, &table, sizeof table);
    for (const auto function : functions) CHECK(function != nullptr);
    CHECK_EQ(kernels::sources_for(implementation.isa).size(), std::size(functions));
  }
}

TEST("kernels: an unknown instruction set is refused with the list of those this machine has") {
  CHECK_THROWS(Error, kernels::table_for("sse9"), "'sse9'");
  CHECK_THROWS(Error, kernels::table_for("sse9"), "scalar");
  CHECK_THROWS(Error, kernels::table_for(""), "unknown");
}

TEST("kernels: an instruction set this machine lacks is refused") {
  for (const kernels::Implementation& implementation : kernels::implementations()) {
    if (implementation.supported) continue;
    CHECK_THROWS(Error, kernels::table_for(implementation.isa), "not supported by this machine");
    return;
  }
  SKIP("this machine supports every instruction set compiled in");
}

TEST("kernels: the active set is the best supported, unless GTEWAY_FORCE_ISA names another") {
  const char* forced = std::getenv("GTEWAY_FORCE_ISA");
  std::string expected = forced == nullptr ? "" : forced;
  for (const kernels::Implementation& implementation : kernels::implementations())
    if (expected.empty() && implementation.supported) expected = implementation.isa;
  CHECK_EQ(kernels::active_isa(), expected);
  const kernels::Table table = kernels::table_for(expected);
  CHECK(std::memcmp(&kernels::active(), &table, sizeof table) == 0);
}

TEST("kernels: threads that ask at once get the same choice") {
  std::vector<const kernels::Table*> seen(8);
  std::vector<std::thread> threads;
  for (auto& table : seen) threads.emplace_back([&table] { table = &kernels::active(); });
  for (std::thread& thread : threads) thread.join();
  for (const kernels::Table* table : seen) CHECK(table == seen[0] && table != nullptr);
}
