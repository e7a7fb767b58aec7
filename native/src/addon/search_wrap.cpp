// topK: the search of lib/search, small ones at once, larger ones on threads of the environment.
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "addon/arguments.hpp"
#include "addon/boundary.hpp"
#include "addon/environment.hpp"
#include "base/aligned_buffer.hpp"
#include "cpu/topology.hpp"
#include "search/searcher.hpp"

namespace gteway::addon {
namespace {

// Searches that cost less are answered at once: some 20 µs, about what handing them to a thread and back
// takes.
constexpr double kSmall = 1 << 17;

struct Bytes {
  const void* data;
  size_t size;
};

Bytes bytes_of(const Napi::Value& value, napi_typedarray_type wanted) {
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  // Of the array alone: N-API has no type for a SharedArrayBuffer below it.
  if (!value.IsTypedArray() ||
      napi_get_typedarray_info(value.Env(), value, &type, &length, &data, nullptr, nullptr) != napi_ok ||
      type != wanted)
    throw Error(ErrorCode::kInvalidArgument, Literal("rows and queries must be typed arrays of their form"));
  return {data, length * (wanted == napi_float32_array ? sizeof(float) : 1)};
}

napi_typedarray_type array_of(search::Form form) {
  if (form == search::Form::kFloat32) return napi_float32_array;
  return form == search::Form::kInt8 ? napi_int8_array : napi_uint8_array;
}

Napi::Object found_to_js(Napi::Env env, const search::Found& found) {
  size_t total = 0;
  for (const auto& hits : found) total += hits.size();
  auto counts = new_array<Napi::Uint32Array>(env, "Uint32Array", found.size());
  auto indices = new_array<Napi::Uint32Array>(env, "Uint32Array", total);
  auto scores = new_array<Napi::Float64Array>(env, "Float64Array", total);
  size_t at = 0;
  for (size_t query = 0; query < found.size(); ++query) {
    counts.Data()[query] = static_cast<uint32_t>(found[query].size());
    for (const search::Hit& hit : found[query]) {
      indices.Data()[at] = static_cast<uint32_t>(hit.index);
      scores.Data()[at++] = hit.score;
    }
  }
  Napi::Object result = Napi::Object::New(env);
  result.Set("counts", counts);
  result.Set("indices", indices);
  result.Set("scores", scores);
  return result;
}

// What a search reads until it is opened: a copy, or an array over shared memory, which nothing can detach or
// shrink, and which a reference keeps.
class FoundLetter final : public Letter {
 public:
  FoundLetter(Napi::Env env, Environment& environment) : environment_(environment), deferred_(env) {}

  Napi::Value promise() const { return deferred_.Promise(); }

  void keep(const Napi::Value& array) {
    array_ = Napi::Persistent(array.As<Napi::Object>());
    // A letter that is never opened ends on any thread, and with an environment that is gone.
    array_.SuppressDestruct();
  }

  const void* copy(const Bytes& bytes) {
    copy_ = AlignedBuffer(bytes.size);
    if (bytes.size != 0) std::memcpy(copy_.data(), bytes.data, bytes.size);
    return copy_.data();
  }

  void settle(Napi::Env env) {
    try {
      if (error)
        deferred_.Reject(to_js(env, *error).Value());
      else
        deferred_.Resolve(found_to_js(env, *found));
    } catch (const Napi::Error&) {
      throw;
    } catch (...) {
      deferred_.Reject(to_js(env, current_error()).Value());
    }
  }

  void open(Napi::Env env) override {
    array_.Reset();
    environment_.mailbox->awaited_one(env);
    settle(env);
  }

  // Either of them, before it is posted.
  std::optional<search::Found> found;
  std::optional<Error> error;

 private:
  Environment& environment_;
  const Napi::Promise::Deferred deferred_;
  Napi::ObjectReference array_;
  AlignedBuffer copy_;
};

// One per environment, for as long as its exports are.
class SearchThreads final : public Closable {
 public:
  explicit SearchThreads(Environment& environment) : environment_(environment) {
    environment_.open.insert(this);
  }

  ~SearchThreads() override {
    if (!ended_) shut_down();  // otherwise after teardown, when the environment is gone
  }

  void stop() noexcept override {
    if (searcher_) searcher_->stop();
  }

  void shut_down() noexcept override {
    environment_.open.erase(this);
    ended_ = true;
    searcher_.reset();
  }

  // (rows, shared, form, dimensions, queries, k) → Promise<{counts, indices, scores}>
  Napi::Value top_k(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    return guard(env, [&]() -> Napi::Value {
      const auto form = choice<search::Form>({info, 2}, {{"float32", search::Form::kFloat32},
                                                         {"int8", search::Form::kInt8},
                                                         {"bits", search::Form::kBits}});
      const auto dims = static_cast<size_t>(number({info, 3}));
      const auto k = static_cast<size_t>(number({info, 5}));
      const Bytes bytes = bytes_of(info[0], array_of(form));
      const Bytes queries = bytes_of(info[4], napi_float32_array);
      if (dims < 1 || dims > search::kMostDims)
        throw Error(ErrorCode::kInvalidArgument, Literal("dimensions must be from 1 to 131071"));
      search::Rows rows{form, bytes.data, 0, dims};
      rows.count = bytes.size / rows.row_bytes();
      const size_t query_count = queries.size / (dims * sizeof(float));
      if (bytes.size != rows.count * rows.row_bytes() || queries.size != query_count * dims * sizeof(float))
        throw Error(ErrorCode::kInvalidArgument, Literal("rows and queries must be whole rows"));

      const auto letter = std::make_shared<FoundLetter>(env, environment_);
      const auto* const asked = static_cast<const float*>(queries.data);
      if (search::TopK search(rows, asked, query_count, k); search.cost() <= kSmall) {
        letter->found = search::search_here(search);
        letter->settle(env);
        return letter->promise();
      }
      if (ended_) throw Error(ErrorCode::kClosed, Literal("the JavaScript environment is ending"));
      const bool shared = info[1].ToBoolean();
      if (!shared) rows.data = letter->copy(bytes);
      if (!searcher_) searcher_ = std::make_unique<search::Searcher>(cpu::default_thread_count());
      searcher_->submit(search::TopK(rows, asked, query_count, k),
                        [letter, mailbox = environment_.mailbox](std::optional<search::Found> found,
                                                                 std::optional<Error> error) {
                          letter->found = std::move(found);
                          letter->error = std::move(error);
                          mailbox->post(letter);
                        });
      if (shared) letter->keep(info[0]);
      environment_.mailbox->await_one(env);  // the letter is opened by this thread, so not before
      return letter->promise();
    });
  }

 private:
  Environment& environment_;
  bool ended_ = false;
  std::unique_ptr<search::Searcher> searcher_;  // from the first search on that is not small
};

}  // namespace

void register_search(Napi::Env env, Napi::Object exports) {
  auto* const threads = new SearchThreads(Environment::of(env));
  Napi::Function function = Napi::Function::New(
      env, [threads](const Napi::CallbackInfo& info) { return threads->top_k(info); }, "topK");
  function.AddFinalizer([](Napi::Env, SearchThreads* leaving) { delete leaving; }, threads);
  exports.Set("topK", function);
}

}  // namespace gteway::addon
