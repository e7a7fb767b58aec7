#include "scheduler/client.hpp"

#include <utility>

namespace gteway {

std::unique_ptr<Client> Client::connect(std::shared_ptr<Scheduler> scheduler, ClientOptions options,
                                        std::shared_ptr<const Tokenizer> tokenizer, OnLoaded loaded) {
  auto account = std::make_shared<Account>(options, std::move(tokenizer), std::move(loaded));
  std::unique_ptr<Client> client(new Client(std::move(scheduler), std::move(account)));
  // The last thing that can fail: from here on the account is known, and `loaded` may be called.
  if (!client->scheduler_->attach(client->account_)) return nullptr;
  client->closed_ = false;
  return client;
}

Client::~Client() {
  if (!closed_) close({});
}

void Client::close(std::function<void()> closed) noexcept {
  closed_ = true;
  scheduler_->detach(account_, std::move(closed));
}

}  // namespace gteway
