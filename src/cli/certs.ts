import { say, complain, type Command } from './command.ts';
import { ensureDevelopmentCertificates } from './development-certificates.ts';

export const certs: Command = {
  name: 'certs',
  doc: 'Makes a development certificate authority and a certificate for localhost, 127.0.0.1 and ::1.',
  options: {
    output: {
      type: 'string',
      short: 'o',
      value: 'DIR',
      default: 'certs',
      doc: 'Folder to put ca.crt, ca.key, localhost.crt and localhost.key in.',
    },
    force: { type: 'boolean', doc: 'Replaces what is there.' },
  },
  async run({ output, force }) {
    try {
      const files = await ensureDevelopmentCertificates(output as string, { force: force === true });
      if (!files.made) {
        say(`${files.certificate} is there already and good; make new ones with --force`);
        return 0;
      }
      say(`certificate    ${files.certificate}`);
      say(`its key        ${files.key}`);
      say(`authority      ${files.authority}    (curl --cacert ${files.authority} https://localhost…)`);
      say(`its key        ${files.authorityKey}`);
      return 0;
    } catch (error) {
      complain(`portico certs: ${(error as Error).message}`);
      return 1;
    }
  },
};
