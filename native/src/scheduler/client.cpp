#include "scheduler/client.hpp"

#include <utility>

namespace gteway {

std::unique_ptr<Client> Client::connect(std::shared_ptr<Scheduler> scheduler, ClientOptions options,
                                        std::shared_ptr<const Tokenizer> tokenizer,
                                        Scheduler::OnLoaded loaded) {
  auto account = std::make_shared<Account>(options, std::move(tokenizer));
  if (!scheduler->attach(account, std::move(loaded))) return nullptr;
  return std::unique_ptr<Client>(new Client(std::move(scheduler), std::move(account)));
}

Client::~Client() {
  if (!closed_) close({});
}

void Client::close(std::function<void()> closed) {
  closed_ = true;
  scheduler_->detach(account_, std::move(closed));
}

}  // namespace gteway
