import { Headers, localReply, noBody, textBody } from '../http/index.ts';
import type { DirectResponseConfig } from './config.ts';
import type { HeaderEdits } from './header-edits.ts';
import type { Route } from './route.ts';

/** Compiles the action that answers by itself. */
export function compileDirectResponse(config: DirectResponseConfig, edits: HeaderEdits | undefined): Route['answer'] {
  const body = config.body === '' ? noBody : textBody(config.body);
  const template = new Headers();
  for (const [name, values] of Object.entries(config.headers)) for (const value of values) template.append(name, value);
  if (body !== noBody && !template.has('content-type')) template.append('content-type', 'text/plain; charset=utf-8');
  edits?.(template);
  return function directResponse(_, receiver) {
    receiver.answer(localReply(config.status, 'direct_response', { headers: template.clone(), body }));
  };
}
