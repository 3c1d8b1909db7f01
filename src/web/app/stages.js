/*
 * stages.js
 *		What the category of a stage means for its items.
 *
 * WIP is what is in stages of category wait and active.  What is done or discarded has
 * left it, the one delivered, the other given up.
 */
export const isWip = stage => stage.category !== 'done' && stage.category !== 'discarded';

export const isDiscarded = stage => stage.category === 'discarded';

/* In order, the discarded ones at the end, wherever they stand. */
export const discardedLast = stages => [...stages.filter(stage => !isDiscarded(stage)), ...stages.filter(isDiscarded)];
