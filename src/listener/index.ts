export { listenerSchema, type ListenerConfig } from './config.ts';
export { createListener, type Listener, type ListenerDependencies, type ListenerState } from './listener.ts';
