// SPDX-License-Identifier: Apache-2.0
#include "runtime/admin_listing.hpp"

#include <boost/asio/post.hpp>
#include <chrono>
#include <iterator>
#include <mutex>
#include <utility>

namespace tunnel::runtime {
namespace {

constexpr std::chrono::milliseconds kFresh{200};      // an answer this old is given again
constexpr std::chrono::milliseconds kPatience{1000};  // with workers

void append(std::vector<proxy::LiveRecord>& to, std::vector<proxy::LiveRecord>&& rows) {
  to.insert(to.end(), std::make_move_iterator(rows.begin()), std::make_move_iterator(rows.end()));
}

}  // namespace

// Where workers put their answers.
struct AdminListing::Gathering {
  std::mutex mutex;
  std::vector<proxy::LiveRecord> rows;  // guarded by mutex
};

AdminListing::AdminListing(boost::asio::io_context& io, AdminSource& source)
    : io_(io), source_(source), patience_(io) {}

void AdminListing::ask(std::size_t most, Told told) {
  if (last_.complete && std::chrono::steady_clock::now() - last_at_ < kFresh) return told(last_);
  waiting_.push_back(std::move(told));
  if (gathering_) return;
  gathering_ = std::make_shared<Gathering>();
  // Goes with the last worker that holds it: all have answered, or have ended.
  const std::shared_ptr<void> all_done(nullptr, [this, &io = io_, of = std::weak_ptr(gathering_)](void*) {
    boost::asio::post(io, [this, of] {
      if (const auto gathering = of.lock(); gathering && gathering == gathering_) tell();
    });
  });
  source_.list(most, [gathering = gathering_, all_done](proxy::Listing listing) {
    const std::scoped_lock lock(gathering->mutex);
    append(gathering->rows, std::move(listing.records()));
  });
  last_.complete = true;
  patience_.expires_after(kPatience);
  patience_.async_wait([this](const boost::system::error_code& error) {
    if (error || !gathering_) return;
    last_.complete = false;
    tell();
  });
}

void AdminListing::tell() {
  patience_.cancel();
  {
    const std::scoped_lock lock(gathering_->mutex);
    last_.rows = std::move(gathering_->rows);
  }
  gathering_.reset();
  last_at_ = std::chrono::steady_clock::now();
  for (const Told& told : std::exchange(waiting_, {})) told(last_);
}

}  // namespace tunnel::runtime
