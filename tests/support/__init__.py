"""What several test modules share: data, peers, clients."""
