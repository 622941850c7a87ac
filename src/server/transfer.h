// Zone transfers (RFC 5936): the messages that a secondary gets, made on the control thread.
//
// Not here: who may have one (server/responder.h), sending it (server/tcp_session.h).

#pragma once

#include "base/bytes.h"
#include "server/server.h"

namespace waypost::records {
class Publisher;
}

namespace waypost::server {

// The messages for the AXFR or IXFR in `request`, a query that the Responder found transferable. An
// IXFR whose serial is the zone's own, or newer, gets the single SOA (RFC 1995, 2), any other IXFR
// the whole zone. Empty when the zone has gone meanwhile.  `zones` may hold the zone in the place
// of the publisher.
TransferMessages make_transfer(Bytes request, const records::Publisher& publisher,
                               const zones::ZoneSet& zones);

}  // namespace waypost::server
