// SPDX-License-Identifier: Apache-2.0
#include "proxy/live_record.hpp"

#include <utility>

namespace tunnel::proxy {
namespace {

constexpr std::size_t kTargetBytes = 256;

// A query may hold what is nobody else's business.
std::string target_of(const AccessRecord& record) {
  std::string target = record.authority + record.path.substr(0, record.path.find('?'));
  if (target.size() > kTargetBytes) target.resize(kTargetBytes);
  return target;
}

}  // namespace

void Listing::add(const AccessRecord& record, const Flow* flow) {
  if (full()) return;
  LiveRecord row;
  row.kind = record.kind;
  row.listener = record.listener;
  row.cluster = record.cluster;
  row.protocol = record.protocol;
  row.peer = record.downstream_remote;
  row.local = record.downstream_local;
  row.target = target_of(record);
  row.upstream = record.upstream;
  row.status = record.status;
  row.age = now_ - record.begin;
  if (flow != nullptr) {
    row.bytes_received = flow->bytes(Direction::up);
    row.bytes_sent = flow->bytes(Direction::down);
    row.up_blocked = flow->is_blocked(Direction::up);
    row.down_blocked = flow->is_blocked(Direction::down);
  }
  records_.push_back(std::move(row));
}

}  // namespace tunnel::proxy
