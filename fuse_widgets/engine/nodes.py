"""`@workflow`, the nodes that calls of decorated functions and classes build, and items of their results."""

from ._arguments import LEAVES, Promise, map_nodes, nodes_inside
from ._decorator import WorkflowClass, WorkflowFunction, workflow
from ._node import Node, NodeItem, NodeSet, ObservedFunction
from ._objects import MethodCall, MethodNode, ObjectNode
from ._results import checked

__all__ = [
    "LEAVES",
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
    "checked",
    "map_nodes",
    "nodes_inside",
    "workflow",
]
