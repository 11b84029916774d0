// Lets `npx punchline` in a checkout start the command at once. Without the link npm installs the checkout into its own
// cache first, which takes long and builds it again, under the feet of whoever is running it.
import { existsSync, rmSync, symlinkSync } from "node:fs";

const folder = new URL("../node_modules/.bin/", import.meta.url);

if (existsSync(folder) && process.platform !== "win32") {
  const link = new URL("punchline", folder);
  rmSync(link, { force: true });
  symlinkSync("../../bin/punchline.js", link);
}
