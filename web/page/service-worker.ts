/**
 * Keeps the files of the page, so that it works without a network, and answers with the headers that a server without code
 * may not send: those that give it threads, and its policy for workers too.
 */

/** By the build: the files of the folder, those that are kept when they are asked for, a name for all of them, and the policy of the page. */
declare const FILES: readonly string[];
declare const GPU_FILES: readonly string[];
declare const VERSION: string;
declare const POLICY: string;

interface Waits extends Event {
  waitUntil(work: Promise<unknown>): void;
}

interface Asked extends Event {
  readonly request: Request;
  respondWith(answer: Promise<Response>): void;
}

const worker = globalThis as unknown as {
  readonly clients: { claim(): Promise<void> };
  addEventListener(type: 'install' | 'activate', hear: (event: Waits) => void): void;
  addEventListener(type: 'fetch', hear: (event: Asked) => void): void;
};

const PREFIX = 'lacuna ';

worker.addEventListener('install', (event) => {
  const fresh = FILES.map((file) => new Request(file, { cache: 'reload' }));
  event.waitUntil(caches.open(PREFIX + VERSION).then((cache) => cache.addAll(fresh)));
});

worker.addEventListener('activate', (event) => {
  const old = async () => {
    for (const name of await caches.keys())
      if (name.startsWith(PREFIX) && name !== PREFIX + VERSION) await caches.delete(name);
    await worker.clients.claim();
  };
  event.waitUntil(old());
});

worker.addEventListener('fetch', (event) => {
  const { method, url } = event.request;
  if (method !== 'GET' || new URL(url).origin !== location.origin) return;
  event.respondWith(answer(event.request));
});

async function answer(request: Request): Promise<Response> {
  const cache = await caches.open(PREFIX + VERSION);
  let found = await cache.match(request, { ignoreSearch: true });
  if (!found) {
    found = await fetch(request);
    const later = GPU_FILES.some((file) => new URL(file, location.href).href === request.url);
    if (later && found.ok) await cache.put(request, found.clone());
  }
  const headers = new Headers(found.headers);
  headers.set('cross-origin-opener-policy', 'same-origin');
  headers.set('cross-origin-embedder-policy', 'require-corp');
  headers.set('content-security-policy', POLICY);
  return new Response(found.body, { status: found.status, statusText: found.statusText, headers });
}
