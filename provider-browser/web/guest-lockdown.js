// Takes from a worker with guests whatever reaches out of it. A guest can't call
// any of it: it is handed functions, and none of these. But what isn't there
// can't be reached by a defect either. What stays is what a guest's host needs:
// messages to the session's worker, clocks, random bytes, WebAssembly.

const REACHING_OUT = [
  'fetch', 'fetchLater', 'XMLHttpRequest', 'WebSocket', 'WebSocketStream', 'WebTransport', 'EventSource', 'Request',
  'Worker', 'SharedWorker', 'BroadcastChannel', 'importScripts', 'navigator', 'location',
  'indexedDB', 'IDBFactory', 'caches', 'CacheStorage', 'Cache', 'cookieStore', 'FileReader', 'FileReaderSync',
  'Notification', 'FontFace', 'fonts', 'reportError', 'RTCPeerConnection', 'RTCDataChannel', 'OffscreenCanvas',
  'createImageBitmap', 'webkitRequestFileSystem', 'webkitRequestFileSystemSync',
  'webkitResolveLocalFileSystemURL', 'webkitResolveLocalFileSystemSyncURL',
];

for (const name of REACHING_OUT) {
  for (let holder = globalThis; holder; holder = Object.getPrototypeOf(holder)) {
    if (Object.hasOwn(holder, name)) delete holder[name];
  }
  // Some browsers let a few of them not be deleted: then they are hidden.
  if (name in globalThis) Object.defineProperty(globalThis, name, { value: undefined });
}
