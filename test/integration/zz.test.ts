import { connect, constants } from 'node:http2';
import { it, onTestFinished } from 'vitest';
import { startListener } from '../support/listener-harness.ts';
it('x', async () => {
    const outcomes: string[] = [];
    let reached: () => void = () => {};
    const { port, logs } = await startListener({
      answer: ({ request, cancellation }) =>
        new Promise((_, reject) => {
          console.log('answer');
          request.body.pipe({ data: () => (console.log('data'), reached(), true), end: () => outcomes.push('end'), error: () => console.log('error') });
          cancellation.onCancel((e) => { console.log('cancel'); reject(e); });
        }),
    });
    const client = connect(`http://127.0.0.1:${port}`);
    client.on('error', () => {});
    onTestFinished(() => client.destroy());
    const stream = client.request({ ':method': 'POST', ':path': '/' });
    stream.on('error', () => {});
    stream.on('close', () => console.log('client stream close', stream.rstCode));
    reached = () => { console.log('closing'); stream.close(constants.NGHTTP2_CANCEL); };
    stream.write('part');
    await logs(1);
    console.log('logged')
}, 2000);
