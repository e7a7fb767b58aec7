#include "search/searcher.hpp"

#include <algorithm>
#include <string>
#include <system_error>
#include <utility>

#include "base/thread_name.hpp"

namespace gteway::search {

struct Searcher::Job {
  Job(TopK search_, Done done_)
      : search(std::move(search_)),
        done(std::move(done_)),
        blocks(search.blocks()),
        open(blocks),
        best(search.nobody()) {}

  void finish_block(size_t block) noexcept {
    try {
      const std::vector<Best> found = search.best_of(block);
      const std::lock_guard lock(mutex);
      for (size_t query = 0; query < best.size(); ++query) best[query].offer_all(found[query]);
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!error) error = current_error();
    }
    const bool is_last = [&] {
      const std::lock_guard lock(mutex);
      return --open == 0;
    }();
    if (is_last) tell();
  }

  void tell() noexcept {
    std::optional<Found> found(std::in_place);
    if (!error) try {
        for (Best& each : best) found->push_back(each.take());
      } catch (...) {
        error = current_error();
      }
    if (error) found.reset();
    done(std::move(found), std::move(error));
  }

  const TopK search;
  const Done done;
  const size_t blocks;
  size_t next = 0;  // guarded by the searcher's mutex

  std::mutex mutex;
  size_t open;  // guarded, as the rest: blocks that are not finished
  std::vector<Best> best;
  std::optional<Error> error;
};

Searcher::~Searcher() {
  stop();
  for (std::thread& thread : threads_) thread.join();
}

void Searcher::stop() noexcept {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  changed_.notify_all();
}

void Searcher::submit(TopK search, Done done) {
  auto job = std::make_shared<Job>(std::move(search), std::move(done));
  const size_t wanted = std::min(std::max<size_t>(most_threads_, 1), std::max<size_t>(job->blocks, 1));
  while (threads_.size() < wanted) try {
      threads_.reserve(wanted);
      threads_.emplace_back([this, number = threads_.size()] {
        set_thread_name("gteway-find-" + std::to_string(number));
        work();
      });
    } catch (const std::system_error&) {
      if (threads_.empty()) throw;
      break;  // fewer threads find the same
    }
  if (job->blocks == 0) job->open = 1;  // no rows: one claim, of nothing
  const std::lock_guard lock(mutex_);
  jobs_.push_back(std::move(job));
  changed_.notify_all();
}

// Waits for a block; null at the end.
std::shared_ptr<Searcher::Job> Searcher::claim(size_t& block) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return stopped_ || !jobs_.empty(); });
  if (stopped_) return nullptr;
  std::shared_ptr<Job> job = jobs_.front();
  block = job->next++;
  if (job->next >= job->blocks) jobs_.pop_front();
  return job;
}

void Searcher::work() noexcept {
  size_t block = 0;
  while (const std::shared_ptr<Job> job = claim(block)) job->finish_block(block);
}

}  // namespace gteway::search
