// The schedulers of this process, so that sessions of the same model and options share one: weights, threads
// and batches, also across worker_threads.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "engine/factory.hpp"
#include "scheduler/client.hpp"

namespace gteway {

// A client of the scheduler for `identity`; the first one makes it, with `threads` and `make_engine`, and the
// last one to go closes it. Thread-safe.
std::unique_ptr<Client> connect(const std::string& identity, size_t threads,
                                const Scheduler::MakeEngine& make_engine, ClientOptions options,
                                std::shared_ptr<const Tokenizer> tokenizer, const OnLoaded& loaded);

// What tells a file from any other and from a later version of itself: path, size, time of modification, and,
// where the system has one, inode. Of a file that cannot be read: its path.
std::string file_identity(const std::string& path);

// The same of a file of weights, and of the files that hold tensors of it. Reads the graph of an ONNX file (a
// few milliseconds), and nothing of its tensors.
std::string weights_identity(const std::string& path);

}  // namespace gteway
