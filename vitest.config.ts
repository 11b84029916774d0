import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/kernel/**"],
    testTimeout: 30_000,
    // Vitest leaves one core out, which on two of them halves the speed. Many tests wait more than they compute.
    maxWorkers: "150%",
  },
});
