#include "scheduler/registry.hpp"

#include <filesystem>
#include <fstream>
#include <random>

#include "scheduler/fake_engine.hpp"

namespace gteway {
namespace {

const ClientOptions kRoomy{.max_queue = 100'000, .max_queue_bytes = 1 << 24};

struct Process {
  std::shared_ptr<FakeDevice> device = std::make_shared<FakeDevice>();
  std::atomic<int> loads{0};

  std::unique_ptr<Client> connect(const std::string& identity) {
    return gteway::connect(
        identity, 2,
        [this](std::vector<Fallback>&, const auto&) {
          ++loads;
          return std::make_unique<FakeEngine>(CostModel{.padded = false, .max_batch_tokens = 64}, device);
        },
        kRoomy, fake_tokenizer(), [](const Loaded&) {});
  }
};

TEST("registry: equal identities share an engine, others have their own") {
  Process process;
  auto a = process.connect("x"), b = process.connect("x"), c = process.connect("y");
  for (Client* client : {a.get(), b.get(), c.get()})
    CHECK(submit(*client, 1, {"a"}).get().result.has_value());
  CHECK_EQ(process.loads.load(), 2);
  CHECK_EQ(a->stats().sessions, 2u);
  CHECK_EQ(c->stats().sessions, 1u);
}

TEST("registry: the last client to go closes the engine, and the next one loads it again") {
  Process process;
  auto a = process.connect("x"), b = process.connect("x");
  CHECK(submit(*a, 1, {"a"}).get().result.has_value());
  a.reset();
  CHECK_EQ(process.device->engines, 1);
  CHECK(submit(*b, 1, {"a"}).get().result.has_value());
  b.reset();
  CHECK_EQ(process.device->engines, 0);
  auto c = process.connect("x");
  CHECK(submit(*c, 1, {"a"}).get().result.has_value());
  CHECK_EQ(process.loads.load(), 2);
}

TEST("registry: a scheduler that is closing gets no new clients") {
  Process process;
  auto a = process.connect("x");
  process.device->shut();
  auto call = submit(*a, 1, {"a"});
  process.device->wait_until_busy();
  a->close({});
  auto b = process.connect("x");
  check_code(call.get(), ErrorCode::kClosed);
  process.device->let_go();
  CHECK(submit(*b, 1, {"a"}).get().result.has_value());
  CHECK_EQ(process.loads.load(), 2);
}

TEST("registry: a load that failed is tried again by the next client") {
  const auto fail = [](std::vector<Fallback>&, const auto&) -> std::unique_ptr<Engine> {
    throw Error(ErrorCode::kModelInvalid, "no model");
  };
  for (int round = 0; round < 50; ++round) {
    std::promise<Loaded> loaded;
    auto client = connect("z", 1, fail, kRoomy, fake_tokenizer(),
                          [&loaded](const Loaded& outcome) { loaded.set_value(outcome); });
    CHECK(client != nullptr);
    CHECK(loaded.get_future().get().error.has_value());
  }
}

TEST("registry: sessions opening and closing on many threads at once") {
  Process process;
  std::atomic<int> settled_calls{0}, submitted{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int round = 0; round < 40; ++round) {
        auto client = process.connect(round % 3 == 0 ? "x" : "y");
        for (uint64_t i = 0; i < 5; ++i) {
          client->submit({.number = i,
                          .texts = text_block({"a", "b c", std::string(i + 1, 'a')}),
                          .options = filled({}),
                          .done = [&](std::optional<Embedded>, std::optional<Error>) { ++settled_calls; }});
          ++submitted;
        }
        if ((round + t) % 4 == 0) client->close({});
      }
    });
  for (std::thread& thread : threads) thread.join();
  CHECK_EQ(settled_calls.load(), submitted.load());
  CHECK_EQ(process.device->engines, 0);
}

TEST("registry: a file's identity changes with the file") {
  const std::string path =
      (std::filesystem::temp_directory_path() / ("gteway-identity-" + std::to_string(std::random_device{}())))
          .string();
  CHECK_EQ(file_identity(path), path);
  std::ofstream(path) << "one";
  const std::string before = file_identity(path);
  CHECK_EQ(before, file_identity(path));
  CHECK(before != path);
  std::ofstream(path) << "three";
  CHECK(before != file_identity(path));
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace gteway
