import { defineConfig } from "vitest/config";

/** Tests between network namespaces: as root, one after the other. */
export default defineConfig({
  test: {
    include: ["test/kernel/**/*.test.ts"],
    fileParallelism: false,
    testTimeout: 120_000,
  },
});
