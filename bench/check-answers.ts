import { Agent, request } from 'undici';
import { token } from './load.ts';

/** A contender that answers wrongly is not timed. @throws Error that says which and how */
export async function checkAnswers(name: string, origin: string): Promise<void> {
  const dispatcher = new Agent({ connect: { rejectUnauthorized: false } });
  const headers = { authorization: `Bearer ${token}` };
  try {
    const got = await request(`${origin}/`, { dispatcher, headers });
    const text = await got.body.text();
    if (got.statusCode !== 200 || !text.startsWith('{"id":7'))
      throw new Error(`${name} at ${origin} answers GET / with ${got.statusCode} ${text.slice(0, 80)}`);
    const posted = await request(`${origin}/`, { dispatcher, headers, method: 'POST', body: 'x'.repeat(1024) });
    const echoed = await posted.body.text();
    if (echoed !== '{"size":1024}')
      throw new Error(`${name} at ${origin} answers POST / with ${posted.statusCode} ${echoed.slice(0, 80)}`);
    const large = await request(`${origin}/large`, { dispatcher, headers });
    const bytes = (await large.body.arrayBuffer()).byteLength;
    if (bytes !== 100 * 1024) throw new Error(`${name} at ${origin} sent ${bytes} bytes of /large`);
  } finally {
    await dispatcher.close();
  }
}
