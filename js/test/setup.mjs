// Node warns of an AbortSignal with more than ten listeners; here one signal ends everything a view has started.
import { setMaxListeners } from "node:events";

setMaxListeners(100);
