/*
 * stages.js
 *		What the category of a stage means for its items.
 *
 * WIP is what is in stages of category wait and active.  What is done or discarded has
 * left it, the one delivered, the other given up.
 */
export const isWip = stage => stage.category !== 'done' && stage.category !== 'discarded';

export const isDiscarded = stage => stage.category === 'discarded';

export const isRetired = stage => Boolean(stage.retired_at);

/* In order, the discarded ones at the end, wherever they stand. */
export const discardedLast = stages => [...stages.filter(stage => !isDiscarded(stage)), ...stages.filter(isDiscarded)];

/*
 * onBoard
 *		The stages of the board: those in use, then the retired ones that may hold something to be seen.
 *
 * A retired stage takes no new items.  What was discarded in one is over.
 */
export const onBoard = stages => [...discardedLast(stages.filter(stage => !isRetired(stage))), ...stages.filter(stage => isRetired(stage) && !isDiscarded(stage))];
