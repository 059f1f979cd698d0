import { EventEmitter } from 'node:events';
import { expect, it } from 'vitest';
import { holdSignals } from '../../../../src/cli/serve/hold-signals.ts';

it('a signal before the first listener reaches it as soon as it is added, and later ones at once', () => {
  const source = new EventEmitter();
  const onSignal = holdSignals(source);
  source.emit('SIGTERM', 'SIGTERM');
  const heard: string[] = [];
  onSignal((signal) => heard.push(signal));
  expect(heard).toEqual(['SIGTERM']);
  source.emit('SIGINT', 'SIGINT');
  expect(heard).toEqual(['SIGTERM', 'SIGINT']);
});
