/**
 * Loaded into a worker before its own code (`node --import`): the worker kills itself as soon as an answer's headers ask for it,
 * as a request does whose answer exhausts the memory.
 */
import { subscribe } from 'node:diagnostics_channel';

subscribe('undici:request:headers', ({ response }) => {
  const asksForDeath = response.headers.some((header) => header.toString().toLowerCase() === 'x-kill-caller');
  if (asksForDeath) process.kill(process.pid, 'SIGKILL');
});
