//! Two established IKE SAs, wired to each other without a network.
