def attack(run): raise NotImplementedError
