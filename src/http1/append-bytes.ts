/**
 * Puts bytes behind those that a room already holds, and returns the room: a larger one when they do not fit. It grows by doubling,
 * so that bytes that come one by one do not cost a copy of all each. Memory of its own, not cut from a larger piece, which would
 * be kept along with it for as long as the other side takes.
 * @param length bytes of the room that are in use
 */
export function appendBytes(room: Buffer, length: number, bytes: Buffer): Buffer {
  const needed = length + bytes.length;
  let larger = room;
  if (needed > room.length) {
    larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * room.length));
    room.copy(larger, 0, 0, length);
  }
  bytes.copy(larger, length);
  return larger;
}
