// A schema as pydantic writes it, with everything that a form has to cope with.
export const SCHEMA: Record<string, unknown> = {
  title: "LocalInfo",
  type: "object",
  additionalProperties: true,
  properties: {
    cache: {
      default: true,
      description:
        "Take the result from storage where its fingerprint still holds, and save it there.",
      title: "Cache",
      type: "boolean",
    },
    plugin: {
      default: null,
      description: "Runs before the node: a Plugin.",
      title: "Plugin",
      "x-fuse-shown-only": true,
    },
    executor: {
      anyOf: [{ enum: ["inline", "thread", "process"], type: "string" }, { type: "null" }],
      default: null,
      description: "Where this node runs.",
      title: "Executor",
    },
    retries: {
      default: 0,
      description: "How often the node is tried again after it failed.",
      maximum: 1000,
      minimum: 0,
      title: "Retries",
      type: "integer",
    },
    timeout: {
      anyOf: [{ exclusiveMinimum: 0, type: "number" }, { type: "null" }],
      default: null,
      description: "Seconds after which the node's process is killed.",
      title: "Timeout",
    },
    label: { anyOf: [{ type: "string" }, { type: "null" }], default: null, title: "Label" },
    tags: { default: [], items: { type: "string" }, title: "Tags", type: "array" },
    remote_args: {
      anyOf: [{ $ref: "#/$defs/RemoteArgs" }, { type: "null" }],
      default: null,
      description: "What Ray is asked for.",
    },
  },
  $defs: {
    RemoteArgs: {
      title: "RemoteArgs",
      type: "object",
      properties: {
        num_cpus: { default: 1, minimum: 0, title: "Num Cpus", type: "number" },
        scheduling: { $ref: "#/$defs/Scheduling", default: "DEFAULT" },
        retry_exceptions: {
          anyOf: [
            { type: "boolean" },
            { items: {}, type: "array", "x-fuse-shown-only": true },
            { type: "null" },
          ],
          default: null,
          title: "Retry Exceptions",
        },
        resources: {
          additionalProperties: { type: "number" },
          default: {},
          title: "Resources",
          type: "object",
        },
      },
    },
    Scheduling: { enum: ["DEFAULT", "SPREAD"], title: "Scheduling", type: "string" },
  },
};
