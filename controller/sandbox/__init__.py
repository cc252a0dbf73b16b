"""A fleet of stand-in HestiaCP servers on this machine, for trying and testing the product."""
