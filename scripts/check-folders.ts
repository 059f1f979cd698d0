/** Part of `npm run check`: no folder of `src` holds more files of its own than a reader can take in at a glance. */
import { readdirSync } from 'node:fs';

const MAX_FILES = 14;

const entries = readdirSync('src', { recursive: true, withFileTypes: true }).filter((entry) =>
  entry.isFile(),
);
const counts = new Map<string, number>();
for (const { parentPath } of entries) counts.set(parentPath, (counts.get(parentPath) ?? 0) + 1);
const crowded = [...counts].filter(([, files]) => files > MAX_FILES);
for (const [folder, files] of crowded)
  console.log(`${folder}: ${files} files, at most ${MAX_FILES}: sort them into folders by subject`);
console.log(`${counts.size} folders checked`);
process.exitCode = crowded.length > 0 || entries.length === 0 ? 1 : 0;
