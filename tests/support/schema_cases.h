// The Kubernetes DNS schema as tables: name and type in, the whole answer out.
//
// Written once and run twice: against the responder directly (tests/unit/records) and through real
// sockets (tests/unit/server).  All tables speak of the world in tests/data/schema/world.yaml.

#pragma once

#include "base/bytes.h"
#include "records/options.h"

#include <functional>
#include <string>
#include <vector>

namespace waypost::test {

// In every text "~" stands for "cluster.local.".  Records are "owner ttl class type rdata" in any
// order.
struct SchemaCase {
  std::string asks;  // "web.shop.svc.~ A"
  std::vector<std::string> answer = {};
  std::vector<std::string> additional = {};
  std::string rcode = "NOERROR";
  std::string flags = "qr aa rd";
  // The zone of the SOA that a negative answer must carry; "-": authority is empty.  Answers with
  // records must have an empty authority.
  std::string soa_of = "~";
};

struct SchemaTable {
  std::string title;  // What the table shows, a sentence.
  records::Options options;
  std::vector<SchemaCase> cases;
};

const std::vector<SchemaTable>& schema_tables();

// Asks every case of `table` through `ask` (request in, response out) and checks the whole answer.
void check_schema(const SchemaTable& table,
                  const std::function<std::vector<std::uint8_t>(Bytes request)>& ask);

}  // namespace waypost::test
