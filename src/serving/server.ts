/** HTTP on this machine, for services and live pages. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import type { Hono } from 'hono';
import { InputError } from '../errors.js';

const LOOPBACK = ['127.0.0.1', 'localhost', '[::1]'];

/** Whether this machine alone reaches an address. */
export const isLoopback = (host: string) => LOOPBACK.includes(host) || host === '::1' || /^127\./.test(host);

/**
 * The names that a service on this address may be called by where it asks for no token: a page of another name that resolves
 * to this machine is no one that may ask. Undefined where other machines reach it.
 */
export const hostsOf = (host: string): string[] | undefined =>
  isLoopback(host) ? [...new Set([...LOOPBACK, host])] : undefined;

const LAST_PORT = 65_535;

/** A server that listens. */
export interface OpenServer {
  readonly address: string;
  /** Takes no request any more, and waits until those that have come are answered. */
  finish(): Promise<void>;
  /** Takes no request any more, and ends all connections. */
  cut(): void;
}

/** Throws InputError where the address cannot be had. Port 0 is any that is free. */
export async function openServer(
  app: Hono,
  { host, port }: { host: string; port: number },
): Promise<OpenServer> {
  if (port > LAST_PORT)
    throw new InputError(`port ${port}: the last one is ${LAST_PORT}; name another --port`);
  const server = createAdaptorServer({ fetch: app.fetch, hostname: host }) as Server;
  return {
    address: await listening(server, host, port),
    finish: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
      }),
    cut: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

function listening(server: Server, host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const why =
        cause.code === 'EADDRINUSE' ? 'is taken; name another --port' : `cannot be had (${cause.code})`;
      reject(new InputError(`${host}:${port} ${why}`, { cause }));
    });
    server.listen(port, host, () => {
      const own = server.address() as AddressInfo;
      resolve(`http://${own.family === 'IPv6' ? `[${own.address}]` : own.address}:${own.port}`);
    });
  });
}

/** Waits, or until the signal aborts. */
export const pause = (milliseconds: number, signal?: AbortSignal) =>
  new Promise<void>((resolve) => {
    const timer = setTimeout(done, milliseconds);
    function done() {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    }
    signal?.addEventListener('abort', done, { once: true });
  });
