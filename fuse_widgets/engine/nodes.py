"""`@workflow`, the nodes that calls of decorated functions and classes build, and items of their results."""

from ._arguments import Promise, map_nodes
from ._decorator import WorkflowClass, WorkflowFunction, workflow
from ._node import Node, NodeItem, NodeSet, ObservedFunction, not_a_value
from ._objects import MethodCall, MethodNode, ObjectNode

__all__ = [
    "MethodCall",
    "MethodNode",
    "Node",
    "NodeItem",
    "NodeSet",
    "ObjectNode",
    "ObservedFunction",
    "Promise",
    "WorkflowClass",
    "WorkflowFunction",
    "map_nodes",
    "not_a_value",
    "workflow",
]
