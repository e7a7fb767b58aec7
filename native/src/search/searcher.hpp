// The threads that search: started when the first search comes, each takes the next block of the first
// search.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/error.hpp"
#include "search/top_k.hpp"

namespace gteway::search {

using Found = std::vector<std::vector<Hit>>;  // for each query, best first

class Searcher {
 public:
  // Called once on one of the threads, with either of them; must not throw.
  using Done = std::function<void(std::optional<Found> found, std::optional<Error> error)>;

  // At most so many threads, at least one. None is started yet.
  explicit Searcher(size_t threads) : most_threads_(threads) {}
  // Waits for the blocks that are being computed. What is not done by then is dropped without a call.
  ~Searcher();
  Searcher(const Searcher&) = delete;
  Searcher& operator=(const Searcher&) = delete;

  // Searches run one after the other, each on all threads. Throws where memory or threads cannot be had; then
  // `done` is not called.
  void submit(TopK search, Done done);

  // Any thread: takes no further block. The destructor does the rest.
  void stop() noexcept;

 private:
  struct Job;
  void work() noexcept;
  std::shared_ptr<Job> claim(size_t& block);

  const size_t most_threads_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Job>> jobs_;  // guarded; those with blocks that nobody has claimed
  bool stopped_ = false;                   // guarded
  std::vector<std::thread> threads_;       // of the thread that submits
};

}  // namespace gteway::search
