#include "search/pod_directory.h"

#include <algorithm>
#include <bit>
#include <vector>

namespace waypost::search {
namespace {

constexpr std::size_t SmallestTable = 64;

// A Pod that has ended keeps its object, and perhaps not its address.
bool may_ask(const kube::Pod* pod) noexcept {
  return pod != nullptr && pod->phase != kube::PodPhase::Succeeded &&
         pod->phase != kube::PodPhase::Failed;
}

}  // namespace

struct PodDirectory::Profile {
  explicit Profile(Identity of) : identity(of) {}
  ~Profile() { delete list.load(std::memory_order_relaxed); }
  Profile(const Profile&) = delete;
  Profile& operator=(const Profile&) = delete;

  const Identity identity;
  std::atomic<const SearchList*> list{nullptr};
  std::size_t claims = 0;  // Addresses of Pods with this profile.
};

struct PodDirectory::Node {
  explicit Node(const IpAddress& of) : address(of) {}

  const IpAddress address;
  std::atomic<const Profile*> profile{nullptr};  // Never null once it can be found.
  // The writer's.
  Profile* only = nullptr;  // Of the Pod, if it is just one.
  std::uint32_t pods = 0;
  std::uint32_t hosts = 0;  // Pods in the network of their host.
};

struct PodDirectory::Slots {
  explicit Slots(std::size_t size)
      : mask(size - 1), nodes(std::make_unique<std::atomic<Node*>[]>(size)) {}

  std::size_t size() const noexcept { return mask + 1; }

  const std::size_t mask;
  const std::unique_ptr<std::atomic<Node*>[]> nodes;
};

PodDirectory::PodDirectory(cache::Feed& feed, SearchSurroundings surroundings,
                           rcu::RetireList& retired)
    : feed_(feed),
      retired_(retired),
      surroundings_(std::move(surroundings)),
      unknown_(std::make_unique<Profile>(Identity::Unknown)),
      host_(std::make_unique<Profile>(Identity::HostNetwork)),
      several_(std::make_unique<Profile>(Identity::Shared)),
      slots_(new Slots(SmallestTable)) {
  feed_.subscribe(*this);
}

PodDirectory::~PodDirectory() {
  feed_.unsubscribe(*this);
  const std::unique_ptr<Slots> slots(slots_.load(std::memory_order_relaxed));
  for (std::size_t i = 0; i < slots->size(); ++i) {
    delete slots->nodes[i].load(std::memory_order_relaxed);
  }
}

//------------------------------------------------------------------ reading

PodDirectory::Node* PodDirectory::find_node(const IpAddress& address) const noexcept {
  const Slots& slots = *slots_.load(std::memory_order_acquire);
  // It ends: a quarter of the slots is empty.
  for (std::size_t at = IpAddressHash()(address);; ++at) {
    Node* const node = slots.nodes[at & slots.mask].load(std::memory_order_acquire);
    if (node == nullptr || node->address == address) {
      return node;
    }
  }
}

Caller PodDirectory::find(const IpAddress& address) const noexcept {
  const Node* const node = find_node(address);
  if (node == nullptr) {
    return {};
  }
  const Profile& profile = *node->profile.load(std::memory_order_acquire);
  return {profile.identity, profile.list.load(std::memory_order_acquire)};
}

//------------------------------------------------------------------ writing

void PodDirectory::on_pod(const cache::ObjectDelta<kube::Pod>& delta) {
  const bool asked = may_ask(delta.before);
  const bool asks = may_ask(delta.after);
  // Most changes are of conditions and labels.
  if (asked && asks && delta.before->ips == delta.after->ips &&
      delta.before->search == delta.after->search) {
    return;
  }
  // In this order an address that stays keeps its node.
  if (asks) {
    claim(*delta.after);
  }
  if (asked) {
    release(*delta.before);
  }
}

void PodDirectory::set_surroundings(SearchSurroundings surroundings) {
  if (surroundings == surroundings_) {
    return;
  }
  surroundings_ = std::move(surroundings);
  for (const auto& [key, profile] : profiles_) {
    std::unique_ptr<const SearchList> old(profile->list.exchange(
        new SearchList(key.first, key.second, surroundings_), std::memory_order_acq_rel));
    const std::size_t bytes = old->bytes();
    retired_.retire(std::move(old), bytes);
  }
}

PodDirectory::Profile& PodDirectory::profile_of(const kube::Pod& pod) {
  if (!pod.search) {
    return *unknown_;
  }
  std::unique_ptr<Profile>& profile = profiles_[{pod.key.name_space, *pod.search}];
  if (profile == nullptr) {
    profile = std::make_unique<Profile>(Identity::Pod);
    profile->list.store(new SearchList(pod.key.name_space, *pod.search, surroundings_),
                        std::memory_order_relaxed);
  }
  return *profile;
}

void PodDirectory::claim(const kube::Pod& pod) {
  const bool is_host = pod.search && pod.search->host_network;
  for (const IpAddress& address : pod.ips) {
    Node& node = node_at(address);
    count_ += node.pods + node.hosts == 0 ? 1 : 0;
    if (is_host) {
      ++node.hosts;
      settle(node);
      continue;
    }
    Profile& profile = profile_of(pod);
    ++profile.claims;
    if (node.pods == 1) {
      shared_.emplace(address, node.only);
    }
    if (node.pods >= 1) {
      shared_.emplace(address, &profile);
    }
    ++node.pods;
    node.only = node.pods == 1 ? &profile : nullptr;
    settle(node);
  }
}

// What was claimed for the same Pod is given up.
void PodDirectory::release(const kube::Pod& pod) {
  const bool is_host = pod.search && pod.search->host_network;
  for (const IpAddress& address : pod.ips) {
    Node& node = *find_node(address);
    if (is_host) {
      --node.hosts;
      settle(node);
    } else {
      Profile& profile = profile_of(pod);
      if (node.pods > 1) {
        const auto [first, last] = shared_.equal_range(address);
        shared_.erase(
            std::find_if(first, last, [&](const auto& each) { return each.second == &profile; }));
      }
      --node.pods;
      node.only = nullptr;
      if (node.pods == 1) {
        const auto left = shared_.find(address);
        node.only = left->second;
        shared_.erase(left);
      }
      settle(node);
      // Nobody is led to it any more.
      if (--profile.claims == 0 && &profile != unknown_.get()) {
        const auto known = profiles_.find({pod.key.name_space, *pod.search});
        retired_.retire(std::move(known->second),
                        sizeof(Profile) + profile.list.load(std::memory_order_relaxed)->bytes());
        profiles_.erase(known);
      }
    }
    count_ -= node.pods + node.hosts == 0 ? 1 : 0;
  }
}

// Publishes what the claims mean.
void PodDirectory::settle(Node& node) {
  const Profile* profile = unknown_.get();
  if (node.hosts != 0) {
    profile = host_.get();
  } else if (node.pods > 1) {
    profile = several_.get();
  } else if (node.pods == 1) {
    profile = node.only;
  }
  node.profile.store(profile, std::memory_order_release);
}

PodDirectory::Node& PodDirectory::node_at(const IpAddress& address) {
  if (Node* const known = find_node(address)) {
    return *known;
  }
  if ((used_ + 1) * 4 > slots_.load(std::memory_order_relaxed)->size() * 3) {
    rebuild();
  }
  auto node = std::make_unique<Node>(address);
  node->profile.store(unknown_.get(), std::memory_order_relaxed);
  insert(*slots_.load(std::memory_order_relaxed), *node);
  ++used_;
  return *node.release();
}

void PodDirectory::insert(Slots& slots, Node& node) noexcept {
  std::size_t at = IpAddressHash()(node.address);
  while (slots.nodes[at & slots.mask].load(std::memory_order_relaxed) != nullptr) {
    ++at;
  }
  slots.nodes[at & slots.mask].store(&node, std::memory_order_release);
}

// A table of twice the places that are needed, without nodes that nobody claims.
void PodDirectory::rebuild() {
  auto fresh = std::make_unique<Slots>(std::max(SmallestTable, std::bit_ceil((count_ + 1) * 2)));
  std::unique_ptr<Slots> old(slots_.load(std::memory_order_relaxed));
  std::vector<std::unique_ptr<Node>> left;
  for (std::size_t i = 0; i < old->size(); ++i) {
    Node* const node = old->nodes[i].load(std::memory_order_relaxed);
    if (node == nullptr) {
      continue;
    }
    if (node->pods + node->hosts != 0) {
      insert(*fresh, *node);
    } else {
      left.emplace_back(node);
    }
  }
  used_ -= left.size();
  slots_.store(fresh.release(), std::memory_order_release);
  for (std::unique_ptr<Node>& node : left) {
    retired_.retire(std::move(node), sizeof(Node));
  }
  const std::size_t bytes = sizeof(Slots) + old->size() * sizeof(std::atomic<Node*>);
  retired_.retire(std::move(old), bytes);
}

}  // namespace waypost::search
