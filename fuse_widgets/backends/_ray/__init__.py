"""What `RayWorkflow` is made of; each module says in its first line what it is for.

To read in this order: `scheduler`, the loop in the driver that owns a run; `submit` and `pack`, how a node gets to Ray;
`task`, what runs on a worker; `reports` and `events`, how its end comes back. Beside these, in the driver: `frontier`,
`controls`, `recall`, `objects`, `saves`, `stored`, `results`. Live status goes from `live` and `gate` in each worker to
`channel` and `news`. What goes wrong is put into words in `errors`, `deaths`, `placed`, `standstill` and `cluster`.
"""
