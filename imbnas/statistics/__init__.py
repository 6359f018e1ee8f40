"""Statistics that know nothing of networks or records: rank correlations, their bootstrap, regret, intervals."""
