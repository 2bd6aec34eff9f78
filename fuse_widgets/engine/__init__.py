"""The engine: nodes, workflows, runs and their events. Standard library only."""
