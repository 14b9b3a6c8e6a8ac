"""The same answers sooner: faster copies of networks, pools, convolutions, threads."""
