/** From a record to a store that has it for good. Knows nothing of where records come from. */
export { deadLetterAt, deliverySchema, type DeliveryConfig } from './config.ts';
export { createDelivery, type Delivery, type DeliveryDeps, type DeliveryView } from './delivery.ts';
export { FileTurns } from './file-turns.ts';
