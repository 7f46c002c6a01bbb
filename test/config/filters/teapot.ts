import { defineFilter, doc, duration, localReply, v } from 'portico';

export default defineFilter({
  doc: 'Refuses to brew coffee (RFC 2324).',
  config: v.strictObject({
    brew_time: v.optional(doc('How long tea takes.', duration()), '4m'),
    chance: v.optional(doc('Share of requests that are refused.', v.pipe(v.number(), v.minValue(0), v.maxValue(1))), 1),
    password: v.optional(doc('Opens the lid.', v.string())),
    keys: v.optional(doc('Keys of the kitchen.', v.array(v.unknown())), []),
    store: v.optional(doc('Where cups are counted.', v.string())),
  }),
  create({ brew_time }) {
    return {
      onRequest(request) {
        if (request.method !== 'BREW') return;
        return localReply(418, 'teapot', { body: `wait ${brew_time} ms\n` });
      },
    };
  },
});
