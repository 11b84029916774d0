import { defineConfig } from "vitest/config";

/** All tests with NATs of the kernel, those included that take long: as root, one after the other. */
export default defineConfig({
  test: {
    include: ["test/kernel/nat/**/*.{test,matrix}.ts"],
    fileParallelism: false,
    testTimeout: 120_000,
  },
});
