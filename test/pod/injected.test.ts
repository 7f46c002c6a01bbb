import { expect, it, onTestFinished } from 'vitest';
import { defaultInjectOptions, inject } from '../../src/inject/index.ts';
import { parseManifests, the } from '../support/manifests.ts';
import { whyNoNamespaces } from './network.ts';
import { Stage } from './stage.ts';

const why = whyNoNamespaces();

/** An app that knows nothing of sidecars: it listens on all addresses, and is probed by the name of its port. */
const manifest = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: plain }
spec:
  replicas: 1
  selector: { matchLabels: { app: plain } }
  template:
    metadata: { labels: { app: plain } }
    spec:
      securityContext: { runAsUser: 1000 }
      containers:
        - name: plain
          image: node:26
          command: [node, /app/app.cjs]
          ports:
            - name: http
              containerPort: 8080
          readinessProbe:
            httpGet: { path: /ready, port: http }
          volumeMounts:
            - { name: app, mountPath: /app }
      volumes:
        - { name: app, configMap: { name: plain-app } }
---
apiVersion: v1
kind: Service
metadata: { name: plain }
spec:
  selector: { app: plain }
  ports: [{ port: 80, targetPort: http }]
`;

const configMaps = parseManifests(`
apiVersion: v1
kind: ConfigMap
metadata: { name: plain-app }
data:
  app.cjs: |
    const server = require('node:http').createServer((request, response) => {
      response.end(JSON.stringify({ path: request.url, via: request.headers['x-request-id'] !== undefined }));
    });
    server.listen(8080);
    process.on('SIGTERM', () => server.close().closeIdleConnections());
---
apiVersion: v1
kind: ConfigMap
metadata: { name: plain-portico }
data:
  portico.yaml: |
    admin: { address: 0.0.0.0:9090 }
    drain: { pre_drain_delay: 0s }
`);

it.skipIf(why !== undefined)(
  'a pod that portico inject has made starts, is ready, and is reached through the proxy where its Service says',
  { timeout: 120_000 },
  async () => {
    const injected = parseManifests(inject(manifest, defaultInjectOptions).text);
    const stage = await Stage.set([...injected, ...configMaps]);
    onTestFinished(() => stage.clear(), 60_000);
    const pod = await stage.startPod('plain-1');

    const { ports } = the('Service', injected).spec as { ports: { targetPort: number }[] };
    const { status, body } = await stage.client.do('ask', `http://${pod.address}:${ports[0]!.targetPort}/hello`);
    expect({ status, body: JSON.parse(body) as unknown }).toEqual({ status: 200, body: { path: '/hello', via: true } });
    expect(pod.confinements()).toMatchObject({ portico: { user: '65532', root: 'ro' }, plain: { user: '1000' } });
    // The app's own probe has asked the app, past the proxy.
    expect(pod.container('portico').stdout()).not.toContain('"/ready"');

    const endings = await pod.terminate();
    expect(endings.map(({ name, code }) => `${name} ${code}`)).toEqual(['plain 0', 'portico 0']);
  },
);
