// SPDX-License-Identifier: Apache-2.0
#include "runtime/exit_status.hpp"

namespace tunnel::runtime {
namespace {

// A refusal of the next proxy.
int status_of_answer(int answer, bool temporary) {
  switch (answer) {
    case 401:
    case 403:
    case 407:
    case 451:
      return kExitDenied;
    case 408:
    case 425:
    case 429:
      return kExitTemporary;
    case 404:
    case 410:
    case 421:
      return kExitUnavailable;
    case 501:
    case 505:
      return kExitProtocol;
    default:
      break;
  }
  if (answer < 500) return kExitProtocol;  // 400, 405 and the like: it wants to be spoken to otherwise
  return answer == 503 && temporary ? kExitTemporary : kExitUnavailable;
}

}  // namespace

int exit_status(const proxy::Outcome& outcome) {
  const Error& error = outcome.error;
  if (error.kind == Error::Kind::protocol) return kExitProtocol;
  if (error.kind == Error::Kind::none || error.kind == Error::Kind::shutdown) return kExitOk;
  if (outcome.established) return kExitFailed;
  if (error.received_status != 0) return status_of_answer(error.received_status, error.temporary);
  switch (error.kind) {
    case Error::Kind::denied:
      return kExitDenied;
    case Error::Kind::limit:
    case Error::Kind::internal:
      return kExitTemporary;
    default:
      return error.side == Error::Side::downstream ? kExitFailed : kExitUnavailable;
  }
}

}  // namespace tunnel::runtime
