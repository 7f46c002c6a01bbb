export const filter = 'of another kind';
