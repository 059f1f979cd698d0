import { StringDecoder } from 'node:string_decoder';
import { Agent, request } from 'undici';
import { planOf } from '../support/child-commands.ts';
import { runClientLoop } from '../support/client-loop.ts';
import { MODEL, PROMPT } from '../support/plans.ts';

/* About the least that a Node process can do to read such a stream: undici, lines, JSON.parse. */

interface Event {
  readonly choices: readonly { readonly delta: { readonly content?: string | null } }[];
}

const plan = planOf('undici-loop');
const agent = new Agent({ connections: null, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 });
const body = JSON.stringify({
  model: MODEL,
  messages: [{ role: 'user', content: PROMPT }],
  stream: true,
  stream_options: { include_usage: true },
});

runClientLoop(plan, async () => {
  const answer = await request(`${plan.baseUrl}/chat/completions`, {
    dispatcher: agent,
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer sk-bench' },
    body,
  });
  const decoder = new StringDecoder('utf8');
  let rest = '';
  let content = '';
  // Listeners, since an async iterator costs more than everything else here.
  await new Promise((resolve, reject) => {
    answer.body.on('data', (bytes: Buffer) => {
      const text = rest + decoder.write(bytes);
      let start = 0;
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n', start)) {
        const data = text.slice(start + 'data: '.length, end);
        start = end + 2;
        if (data !== '[DONE]') content += (JSON.parse(data) as Event).choices[0]?.delta.content ?? '';
      }
      rest = text.slice(start);
    });
    answer.body.on('end', resolve).on('error', reject);
  });
  return content;
});
