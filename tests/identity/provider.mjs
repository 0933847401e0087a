// An OpenID Connect provider as an organisation runs one for SPID and CIE, on loopback: `oidc-provider` with PKCE demanded,
// whose only login page signs in whom it is told to. Prints its port; ends when its standard input does.
//
// Must never: be reached by another machine, or skip a check of the standard for the tests' comfort.
//
// node provider.mjs REDIRECT_URI

import http from 'node:http';
import Provider from 'oidc-provider';

const redirect = process.argv[2];
// Who signs in next: set by the test with PUT /person.
let person = { sub: 'a', code: 'TINIT-RSSMRA80A01H501U' };

const server = http.createServer((request, response) => handle(request, response));
let handle = () => {};

server.listen(0, '127.0.0.1', () => {
  const { port } = server.address();
  const provider = new Provider(`http://127.0.0.1:${port}`, {
    clients: [{
      client_id: 'consuntivo',
      client_secret: 'un-segreto-di-prova-abbastanza-lungo',
      redirect_uris: [redirect],
      grant_types: ['authorization_code'],
      response_types: ['code'],
    }],
    claims: { openid: ['sub'], profile: ['fiscal_number'] },
    // As many providers do: attributes only at their own endpoint, unless the test wants them in the token.
    conformIdTokenClaims: process.argv[3] !== 'in-token',
    acrValues: ['https://www.spid.gov.it/SpidL2'],
    pkce: { required: () => true },
    cookies: { keys: ['of-this-test-alone'] },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({ sub: id, ...(person.code ? { fiscal_number: person.code } : {}) }),
    }),
    ttl: { AccessToken: 60, AuthorizationCode: 60, IdToken: 60, Interaction: 60, Session: 60, Grant: 60 },
  });
  const callback = provider.callback();
  handle = async (request, response) => {
    if (request.url === '/person' && request.method === 'PUT') {
      let body = '';
      for await (const part of request) body += part;
      person = JSON.parse(body);
      response.end();
      return;
    }
    if (!request.url.startsWith('/interaction/')) {
      callback(request, response);
      return;
    }
    try {
      const { prompt, params, session } = await provider.interactionDetails(request, response);
      let result;
      if (prompt.name === 'login') {
        result = { login: { accountId: person.sub, ...(person.acr ? { acr: person.acr } : {}) } };
      } else {
        const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
        grant.addOIDCScope('openid profile');
        result = { consent: { grantId: await grant.save() } };
      }
      await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true });
    } catch (error) {
      response.statusCode = 500;
      response.end(String(error));
    }
  };
  console.log(port);
});

process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
