"""Graph-to-graph passes, their pipelines and their manager."""
