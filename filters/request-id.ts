import { randomUUID } from 'node:crypto';
import { cidr, defineFilter, doc, note, v, type Exchange } from 'portico';

const header = 'x-request-id';

/** What a client may choose: enough for UUIDs, ULIDs and trace ids in any notation, and harmless in logs, URLs and shells. */
const acceptable = /^[\w.:+=/@-]{1,128}$/;

/** The id of the exchange, for filters that come later and for `onLog` hooks. */
export const requestId = note<string>('requestId');

export default defineFilter({
  doc: 'Gives every request an x-request-id, by which the logs of all parts can be joined.',
  config: v.strictObject({
    preserve_external: v.optional(
      doc(
        'Keep the id that a client sends, whoever it is, if it has 1 to 128 harmless characters (letters, digits, _ . : + = / @ -).',
        v.boolean(),
      ),
      false,
    ),
    trusted_networks: v.optional(
      doc(
        'Networks whose connections may bring an id of their own, which is then kept: proxies in front of this one.',
        v.array(cidr()),
      ),
      [],
    ),
    set_in_response: v.optional(
      doc('Tell the id to the client in the response, so that it can be quoted in a complaint.', v.boolean()),
      true,
    ),
  }),
  stats: {
    generated: 'Requests that got a new id.',
    preserved: 'Requests whose own id was kept.',
    replaced: 'Requests whose own id was not trusted or not acceptable, and was replaced by a new one.',
  },
  create({ preserve_external, trusted_networks, set_in_response }, { stats }) {
    return {
      onRequest(request, exchange) {
        const sent = request.headers.getAll(header);
        if (sent.length === 1 && acceptable.test(sent[0]!) && mayBring(exchange)) {
          stats.preserved.add();
          exchange.set(requestId, sent[0]!);
          return;
        }
        (sent.length === 0 ? stats.generated : stats.replaced).add();
        const id = randomUUID();
        request.headers.set(header, id);
        exchange.set(requestId, id);
      },
      ...(set_in_response && {
        onResponse(response, exchange) {
          const id = exchange.get(requestId);
          if (id !== undefined) response.headers.set(header, id);
        },
      }),
    };

    function mayBring({ downstream }: Exchange): boolean {
      return preserve_external || trusted_networks.some((network) => network.contains(downstream.remoteAddress));
    }
  },
});
