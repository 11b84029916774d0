// Removes what the last build wrote, so that no file of a deleted module stays behind.
import { rmSync } from "node:fs";

rmSync(new URL("../dist", import.meta.url), { recursive: true, force: true });
